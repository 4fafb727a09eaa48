#!/bin/sh
# One value from a credstore broker, with curl: broker_client.sh SOCKET IDENTIFIER
#
# A shell reads no JSON, so this takes a value that JSON writes as it is. One with a quote, a backslash or a control character is
# refused here: `credstore get --socket SOCKET IDENTIFIER` gives it.
set -eu
encoded=$(printf %s "$2" | od -An -v -tx1 | tr -d '\n' | tr ' ' %)
answer=$(curl --silent --show-error --max-time 100 --unix-socket "$1" "http://localhost/v1/secrets/$encoded")
value=$(printf %s "$answer" | sed -n 's/^.*"value":"\([^"\\]*\)".*$/\1/p')
if [ -z "$value" ]; then
    code=$(printf %s "$answer" | sed -n 's/^.*"code":"\(CS[0-9]*\)".*$/\1/p')
    echo "${code:-the value needs a reader of JSON}" >&2
    exit 1
fi
printf %s "$value"
