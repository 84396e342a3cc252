#!/bin/sh
# The command of the npm package: Deno, which npm has put beside it, takes the place of this shell and runs the one file.
# So signals and exit codes are the program's own. No package has to have run a script when it was installed.
here=$(dirname -- "$(readlink -f -- "$0")")
for package in "$here/node_modules/deno" "$here/../deno"; do
  package=$(readlink -f -- "$package") || continue
  for deno in "$package"/../@deno/linux-*/deno "$package"/node_modules/@deno/linux-*/deno; do
    if [ -x "$deno" ]; then
      exec "$deno" run --allow-all --no-config --quiet --v8-flags=--max-semi-space-size=1 "$here/tailrace.js" "$@"
    fi
  done
done
echo "Cannot start tailrace: there is no Deno beside it (npm leaves it out with --omit=optional, and on musl)" >&2
exit 1
