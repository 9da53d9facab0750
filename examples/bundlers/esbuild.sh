esbuild main.mjs --bundle --platform=node --format=esm '--external:@nearfar/*' --outfile=out/main.mjs
