// Runs a program that has no network but one HTTP server, which Node serves itself inside of the program's network namespace.
import { createServer, type RequestListener } from "node:http";
import { type ExitStatus, Task } from "@nearfar/core";
import { loopbackUp } from "@nearfar/namespaces";
import { listenInside } from "@nearfar/net";

/** Runs a program whose network has nothing but `http://127.0.0.1:80/`. Each request is answered by `listener`, in this process. */
export async function runWithServer(file: string, args: string[], listener: RequestListener): Promise<ExitStatus> {
	await using task = await Task.clone({ namespaces: ["user", "net"] });
	task.run(loopbackUp);
	const server = createServer(listener);
	await listenInside(task, { address: "127.0.0.1", port: 80 }, server);
	try {
		return await task.exec(file, [file, ...args]).exited; // the server stays: Node has its socket
	} finally {
		server.close();
		server.closeAllConnections();
	}
}
