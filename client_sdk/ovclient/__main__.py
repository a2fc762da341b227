from ovclient.cli import main

main()
