#!/usr/bin/env bash
# Makes the secrets that compose.yaml reads, in deploy/compose/secrets/; what is there already stays as it is.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p secrets && chmod 700 secrets
umask 077

made() { [ -s "secrets/$1" ] || { printf '%s' "$2" >"secrets/$1"; echo "secrets/$1"; }; }
random() { head -c 24 /dev/urandom | base64 | tr -d '+/='; }

made postgres-password "$(random)"
made grafana-password "$(random)"
made master.key "$(head -c 32 /dev/urandom | base64)"
made console-token none-yet # an API token from the console, for Prometheus
made s3.env "AWS_ACCESS_KEY_ID=vedette
AWS_SECRET_ACCESS_KEY=$(random)
"
key=$(sed -n 's/^AWS_SECRET_ACCESS_KEY=//p' secrets/s3.env)
made s3.json '{"identities": [{"name": "vedette", "actions": ["Admin"],
  "credentials": [{"accessKey": "vedette", "secretKey": "'"$key"'"}]}]}'
made console.env "DB_PASSWORD=$(cat secrets/postgres-password)
"
made agent.env "CAMERA_PASSWORD=$(random)
"
made rtsp.env "MTX_AUTHINTERNALUSERS_0_PASS=$(sed -n 's/^CAMERA_PASSWORD=//p' secrets/agent.env)
"
# Compose binds these files as they are, and nobody in the containers is root: the folder is what keeps others out.
chmod 644 secrets/postgres-password secrets/grafana-password secrets/master.key secrets/console-token secrets/s3.json
