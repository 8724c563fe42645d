"""The counselor dashboard: pages made on the server, readable without a script."""

from affect_pipeline.serving.pages.routes import router

__all__ = ["router"]
