"""File formats of what lies beside a video, read onto the video's clock."""
