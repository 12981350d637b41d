"""Warnings, collected as a run issues them."""

from vidsr.context import Code, Notice


class Notices(list[Notice]):
    """Pass one as `warn` or `on_warning`."""

    def __call__(self, notice: Notice) -> None:
        self.append(notice)

    @property
    def messages(self) -> list[str]:
        return [notice.message for notice in self]

    @property
    def codes(self) -> list[Code]:
        return [code for notice in self for code in notice.codes]
