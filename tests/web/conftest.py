from tests.approvals.conftest import bench

__all__ = ["bench"]
