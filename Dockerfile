# The image of the node daemon. `npm run image` stages the files and builds the image from this very file without a container engine (ts/image);
# with one: docker buildx build --platform linux/amd64,linux/arm64 -f Dockerfile dist/image
FROM scratch
ARG TARGETARCH
LABEL org.opencontainers.image.title=terway org.opencontainers.image.licenses=Apache-2.0 org.opencontainers.image.description="Terway node daemon, CNI executable and terway-cli"
# Node.js, its C and C++ libraries, iptables and nft: changes with their releases only
COPY ${TARGETARCH}/runtime/ /
# Terway itself, some 3 MiB: all that most upgrades fetch
COPY ${TARGETARCH}/terway/ /
# One malloc arena: docs/adr/0007
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin MALLOC_ARENA_MAX=1
WORKDIR /
ENTRYPOINT ["/usr/local/bin/node", "--max-semi-space-size=1", "--max-old-space-size=96", "--disable-warning=DEP0169", "/opt/terway/terwayd.cjs"]
