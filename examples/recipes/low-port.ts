// Starts a server of an ordinary user that may listen on a port below 1024. No other privilege of root is left to the server.
import type { FileDescriptor } from "@nearfar/core";
import { type Spawned, spawn } from "@nearfar/process";

/** Starts a program as a user. `join`: open namespaces to enter, such as the network namespace of a container. */
export function startServer(file: string, args: string[], user: string, join: FileDescriptor[] = []): Promise<Spawned> {
	return spawn(file, args, {
		user, // with the group and the groups of the user
		capabilities: ["netBindService"], // in all five sets, and nothing else in any of them
		noNewPrivs: true, // no file gives the server or its children more
		join,
	});
}
