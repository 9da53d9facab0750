// A Node that serves bytes over HTTP, as many as the path says. When asked, the program reports its port on 127.0.0.1.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const piece = Buffer.alloc(64 * 1024, 1);

const server = createServer(async ({ url = "" }, response) => {
	let left = Number(url.slice(1));
	response.setHeader("Content-Length", left);
	while (left > 0) {
		const bytes = piece.subarray(0, left);
		left -= bytes.length;
		if (!response.write(bytes)) await once(response, "drain");
	}
	response.end();
}).listen(0, "127.0.0.1");
await once(server, "listening");

process.on("message", () => process.send?.((server.address() as AddressInfo).port));
process.on("disconnect", () => {
	server.close();
	server.closeAllConnections();
});
process.send?.(0);
