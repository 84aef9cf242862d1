# The host alone, without a shell, as a user without rights.
#
#   docker build -t wfh .
#   docker run --rm -p 3000:3000 -v "$PWD/app:/app:ro" -v wfh-data:/data wfh
FROM rust:1.95-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ make pkg-config libssl-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --profile dist --locked -p wfh \
    # What it is linked with, and nothing else of the system.
    && mkdir -p /root-fs/data /root-fs/app /root-fs/tmp \
    && ldd target/dist/wfh | awk '$3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }' \
        | xargs -I{} cp --parents -L {} /root-fs/ \
    && cp --parents /etc/ssl/certs/ca-certificates.crt /root-fs/ \
    && cp target/dist/wfh /root-fs/wfh \
    && chown -R 65532:65532 /root-fs/data /root-fs/tmp

FROM scratch
LABEL org.opencontainers.image.title="wfh" \
    org.opencontainers.image.description="WebAssembly function host" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.source="https://github.com/wfh-project/wfh"
COPY --from=build /root-fs/ /
USER 65532:65532
WORKDIR /app
VOLUME /data
EXPOSE 3000 3001
STOPSIGNAL SIGTERM
ENTRYPOINT ["/wfh"]
CMD ["serve", "/app/wfh.toml", "--listen", "0.0.0.0:3000", "--data-dir", "/data"]
