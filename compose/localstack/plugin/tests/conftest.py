"""What all tests of the package share."""

import pytest

pytest.register_assert_rewrite("state_scenarios", "function_scenarios", "localstack_process")
