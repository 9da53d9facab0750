// A service of root. A program that is not root serves each connection, and gets one secret as an open descriptor.
import { createServer, type Server } from "node:net";
import { openat2 } from "@nearfar/core";
import { spawn } from "@nearfar/process";

export interface ServiceOptions {
	/** A file that only root may read. Each program can read it from its descriptor 3. */
	readonly secret: string;
	/** The user and the group of the programs. No file should belong to either. */
	readonly uid: number;
	readonly gid: number;
	readonly onError?: (error: unknown) => void;
}

/** Returns a server that runs a program for each connection, with the connection as its standard input and output. */
export function createService(file: string, args: string[], options: ServiceOptions): Server {
	const { secret, uid, gid, onError = console.error } = options;
	// This process reads nothing from a paused connection, so that the program gets every byte.
	return createServer({ pauseOnConnect: true }, async (connection) => {
		connection.on("error", onError);
		try {
			using key = openat2(secret);
			await using program = await spawn(file, args, {
				stdio: [connection, connection, "inherit", key],
				uid, // with the user the kernel takes every capability of root away
				gid,
				groups: [],
				noNewPrivs: true, // a set-user-id program gives nothing back
				cwd: "/",
				env: { PATH: "/usr/bin:/bin" },
				session: true,
				limits: { nofile: 64, core: 0, fsize: 0 },
				killTree: true,
				timeout: 60_000,
				grace: 1000,
			});
			connection.destroy(); // the program has a descriptor of its own
			await program.exited;
		} catch (error) {
			connection.destroy();
			onError(error);
		}
	});
}
