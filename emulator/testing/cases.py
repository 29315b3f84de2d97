"""Environments for unittest."""

from __future__ import annotations

import contextlib
from typing import ClassVar

from emulator.testing.api import ApiClient
from emulator.testing.aws import Aws
from emulator.testing.environment import RunningEnvironment
from emulator.testing.running import Environments, environments


class EnvironmentsMixin:
    """
    Beside ``unittest.TestCase``: environments for all tests of a class.

    Attributes:
        multistack_environments: Which; all that the project declares when none is named.
        multistack_isolated: Whether each test begins with the state that the deployment left.
        environments: By name.
        environment: The first of them.
    """

    multistack_environments: ClassVar[tuple[str, ...]] = ()
    multistack_isolated: ClassVar[bool] = False
    environments: ClassVar[Environments]
    environment: ClassVar[RunningEnvironment]
    _multistack_open: ClassVar[contextlib.ExitStack]

    @classmethod
    def setUpClass(cls) -> None:
        """Start them; see :func:`emulator.environments`."""
        super().setUpClass()  # type: ignore[misc]
        cls._multistack_open = contextlib.ExitStack()
        cls.environments = cls._multistack_open.enter_context(environments(*cls.multistack_environments))
        cls.environment = cls.environments[next(iter(cls.environments))]

    @classmethod
    def tearDownClass(cls) -> None:
        """Stop them."""
        cls._multistack_open.close()
        super().tearDownClass()  # type: ignore[misc]

    def setUp(self) -> None:
        """Begin a test, with the state put back where the class asks for that."""
        key = self.id() if self.multistack_isolated else None  # type: ignore[attr-defined]
        self.enterContext(self.environments.test(key))  # type: ignore[attr-defined]
        super().setUp()  # type: ignore[misc]

    @property
    def api(self) -> ApiClient:
        """Requests to the first environment."""
        return self.environment.api

    @property
    def aws(self) -> Aws:
        """The AWS API of the first environment."""
        return self.environment.aws
