# Kineograph in a container: one process, not as root, nothing written outside /data and /tmp. docs/deployment.md says
# how it is run; deploy/ has files for Docker Compose.
#
# It listens on all addresses of the container, and then refuses to start (exit code 78) until it is told who may call:
# API_KEYS=owner:key, JWT_JWKS_URL or JWT_SECRET; or ALLOW_ANONYMOUS=true, which lets everyone spend your credits.

# What is needed beside dist/: SQLite for versions of Node.js that do not have it built in.
FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

# What builds runs no native code of its packages' install scripts.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build

FROM node:24-bookworm-slim
RUN mkdir /data && chown node:node /data
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY assets ./assets
ENV NODE_ENV=production HOST=0.0.0.0 DATA_DIR=/data
USER node
VOLUME /data
EXPOSE 4000
STOPSIGNAL SIGTERM
# Alive, not ready: a container whose database is away must not be ended for it. Load balancers ask /ready.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 4000) + '/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/main.js"]
