// A server inside of Node, which listens as root, and gives root up in every thread before it answers anything.
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { type Capability, dropCapabilities } from "@nearfar/caps";
import { dropTo, type User } from "@nearfar/credentials";

/** Listens on a port, and makes this process the user, with the capabilities `keep` alone in every thread. */
export async function listenAndGiveUpRoot(
	port: number,
	user: User,
	keep: readonly Capability[],
	answer: RequestListener,
): Promise<Server> {
	const server = createServer().listen(port);
	await once(server, "listening");
	try {
		// Groups, group ids and user ids. CAP_SETPCAP is needed once more, for the bounding set.
		dropTo(user, { keep: [...keep, "setpcap"], process: true });
		// All five sets, read back. Set-user-id programs give nothing back.
		dropCapabilities(keep, { noNewPrivs: true, process: true });
	} catch (error) {
		// Each of the two changes every thread or none. After the first alone this process has more than it should.
		server.close();
		throw error;
	}
	return server.on("request", answer);
}
