bun build main.mjs --target=node --external '@nearfar/*' --outfile out/main.mjs
