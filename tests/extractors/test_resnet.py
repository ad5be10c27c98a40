"""`resnet` gives the published numbers, whatever file they come in and whichever taps are kept."""

NAMES = {
    "conv2_x": "layer1", "conv3_x": "layer2", "conv4_x": "layer3", "conv5_x": "layer4", "pool": "pooled",
    "logits": "logits",
}  # fmt: skip
