"""Loads OpenCV without its log, or raises an error that names the missing library."""

import os

from apps.suite import errors

# Read at the first video: FFmpeg would print about damaged files, which our errors name
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
try:
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
except ImportError as error:
    raise errors.UserError(
        f"OpenCV cannot be loaded ({error}): install the system library that it names "
        "(libGL.so.1 is in the package libgl1), or opencv-python-headless instead of opencv-python"
    ) from error

__all__ = ["cv2"]
