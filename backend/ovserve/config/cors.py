"""Which pages of other sites a browser lets ask over REST."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field


@dataclass(frozen=True, slots=True)
class Cors:
    """What REST's answers allow; `*` is everything."""

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    credentials: bool


def _listed(text: str | None) -> tuple[str, ...]:
    return ("*",) if text is None else tuple(part for part in map(str.strip, text.split(",")) if part)


class CorsFlags(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    allowed_origins: str | None = Field(
        default=None, description="Origins whose pages browsers let ask over REST, separated by commas; * for all."
    )
    allowed_methods: str | None = Field(default=None, description="Methods that such pages may use; * for all.")
    allowed_headers: str | None = Field(default=None, description="Headers that such pages may send; * for all.")
    allow_credentials: bool = Field(default=False, description="Let such pages send cookies and credentials.")

    @property
    def cors(self) -> Cors | None:
        """None, where none of these is given: no page of another site may ask. What is not given is `*`, as in OVMS."""
        texts = (self.allowed_origins, self.allowed_methods, self.allowed_headers)
        if not self.allow_credentials and all(text is None for text in texts):
            return None
        origins, methods, headers = map(_listed, texts)
        return Cors(origins, methods, headers, self.allow_credentials)
