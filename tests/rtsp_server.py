"""A real RTSP server (GStreamer's) that serves video files as H.264, over TCP only and behind a password.

Runs under the system's Python, which has the bindings: see `PACKAGES` in tests/integration/test_edge_rtsp.py.

    /usr/bin/python3 tests/rtsp_server.py PORT USER PASSWORD /sub=CLIP.avi /main=OTHER.avi
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402  the versions come first

LAUNCH = (
    '( filesrc location="{clip}" ! avidemux ! jpegdec ! videoconvert ! video/x-raw,format=I420 '
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=20 ! rtph264pay name=pay0 pt=96 config-interval=1 )"
)


def factory_of(clip: str) -> GstRtspServer.RTSPMediaFactory:
    """One stream for all clients, readable by the role `reader`."""
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(LAUNCH.format(clip=clip))
    factory.set_shared(True)
    factory.set_protocols(GstRtsp.RTSPLowerTrans.TCP)
    factory.add_role_from_structure(
        Gst.Structure.from_string("reader, media.factory.access=(boolean)true, media.factory.construct=(boolean)true")[
            0
        ]
    )
    return factory


def main(port: str, user: str, password: str, *streams: str) -> None:
    """Serve until killed; prints `ready` once clients can connect."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "reader")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    for stream in streams:
        path, clip = stream.split("=", 1)
        server.get_mount_points().add_factory(path, factory_of(clip))
    if not server.attach(None):
        raise SystemExit(f"port {port} can't be used")
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
