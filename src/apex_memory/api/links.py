"""A workflow's id in, the address of its page in the Temporal UI out."""

from urllib.parse import quote

from apex_memory.settings import Settings


def temporal_url(settings: Settings, workflow_id: str | None) -> str | None:
    """None: there is no workflow yet, or nobody said where the UI is."""
    if not settings.temporal_ui_url or not workflow_id:
        return None
    base, namespace = settings.temporal_ui_url.rstrip("/"), settings.temporal_namespace
    return f"{base}/namespaces/{quote(namespace, safe='')}/workflows/{quote(workflow_id, safe='')}"
