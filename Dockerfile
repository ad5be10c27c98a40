# For a GPU cluster: docker build -t ego . && docker run --gpus all -v /data:/data ego extract --help
# The install steps are the script that continuous integration runs; torch's own wheels bring the CUDA libraries.
FROM nvidia/cuda:12.8.1-base-rockylinux9

RUN dnf install -y python3.11 make && dnf clean all
ENV EGO_VENV=/opt/ego-venv PATH=/opt/ego-venv/bin:$PATH NVIDIA_DRIVER_CAPABILITIES=compute,utility,video
WORKDIR /opt/ego
COPY . .
RUN scripts/setup
ENTRYPOINT ["ego"]
