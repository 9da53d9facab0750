import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { Sandbox } from "@nearfar/sandbox";
import { wall } from "./clock.ts";
import { forked } from "./forked.ts";
import type { Row } from "./row.ts";
import { installed, spawned } from "./spawn.ts";

const BYTES = 100 * 1024 * 1024;

/** Measures 100 MB through the allow-list of a sandbox, against a proxy of Node and a client that are in no sandbox. */
export const proxy: Row[] = [
	{
		name: "proxy",
		unit: "ms",
		peerName: "100 MB through a CONNECT proxy of node:http, unsandboxed",
		bar: 1.25, // 0.8 of the throughput
		async start() {
			if (!(await installed("curl", "--version"))) return "curl is not installed";
			const host = await forked("bytes-node");
			const port = await host.ask();
			const allow = [`127.0.0.1:${port}`];
			const sandbox = await Sandbox.open({ preset: "closed", network: { allow } });
			const plain = await plainProxy();
			const url = `http://127.0.0.1:${port}/${BYTES}`;
			const fetched = ["-sS", "--fail", "--proxytunnel", "--noproxy", "", "-o", "/dev/null", url];
			const at = `http://127.0.0.1:${(plain.address() as AddressInfo).port}`;
			return {
				ours: () => wall(1, async () => void (await sandbox.run("curl", fetched)).check()),
				peer: () => wall(1, () => spawned("curl", ["--proxy", at, ...fetched])),
				async end() {
					plain.close();
					await sandbox[Symbol.asyncDispose]();
					await host.end();
				},
			};
		},
	},
];

/** Makes a proxy that asks nobody. */
async function plainProxy(): Promise<Server> {
	const server = createServer().on("connect", ({ url = "" }, client: Socket, head: Buffer) => {
		const [host = "", port] = url.split(":");
		const remote = connect({ host, port: Number(port), noDelay: true });
		for (const [one, other] of [
			[client, remote],
			[remote, client],
		] as const) {
			one.on("error", () => other.destroy());
		}
		client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
		client.unshift(head);
		client.pipe(remote).pipe(client);
	});
	await once(server.listen(0, "127.0.0.1"), "listening");
	return server;
}
