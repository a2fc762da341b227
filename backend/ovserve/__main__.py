from ovserve.cli import main

main()
