// What the hostile programs make their attempts on: a tree of the host, servers, processes and a descriptor.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const python = "/usr/bin/python3";
/** The folder of the hostile programs, and of what they import. */
export const programs = fileURLToPath(new URL("../fixtures", import.meta.url));
const NUMBER = 9; // of the descriptor that a program outside gets

/** What each attempt has come to. */
export type Outcomes = Record<string, string>;

/** What the attempts are made on. */
export interface Scene {
	readonly host: string;
	readonly work: string;
	readonly shown: string;
	readonly servers: readonly Server[];
	readonly processes: ChildProcess[];
	/** What a hostile program is told. */
	readonly given: { readonly host: string; readonly [name: string]: unknown };
}

/**
 * Makes a tree of the host, servers and processes that a program is not to reach.
 *
 * @param name - Of the tree and of the abstract socket.
 * @param victim - The words before the shell of the process that is attacked most: a program that starts the shell.
 * @param detached - Whether the other process has a session of its own.
 */
export async function makeScene(name: string, victim: readonly string[], detached: boolean): Promise<Scene> {
	const host = realpathSync(mkdtempSync(join(tmpdir(), `nearfar-${name}-`)));
	const [work, shown] = [join(host, "work"), join(host, "shown")];
	for (const path of [join(work, "keys"), join(work, ".git/hooks"), shown]) mkdirSync(path, { recursive: true });
	const contents = ["secret", "shown/file", "work/keys/id", "work/.git/hooks/pre-commit", "work/file"];
	for (const path of contents) writeFileSync(join(host, path), "secret");
	// The modes allow everything, so that nothing but the sandbox refuses it.
	for (const path of ["", "shown", "work", "work/keys"]) chmodSync(join(host, path), 0o777);
	for (const path of contents) chmodSync(join(host, path), 0o666);
	const abstract = `nearfar-${name}-${process.pid}`;
	const servers = [join(shown, "socket"), `\0${abstract}`].map((path) => listen(path));
	const tcp = listen({ port: 0, host: "127.0.0.1" });
	await Promise.all([...servers, tcp].map((server) => once(server, "listening")));
	chmodSync(join(shown, "socket"), 0o777);
	const [file = "", ...args] = [...victim, "sh", "-c", "echo ready; exec sleep 1000"];
	const attacked = spawn(file, args, { stdio: ["ignore", "pipe", "ignore"] });
	const other = spawn("sleep", ["1000"], { stdio: "ignore", detached });
	await Promise.all([once(attacked.stdout, "data"), once(other, "spawn")]);
	const { port } = tcp.address() as AddressInfo;
	const given = { host, work, shown, port, abstract, process: other.pid, victim: attacked.pid, descriptor: NUMBER };
	return { host, work, shown, servers: [...servers, tcp], processes: [attacked, other], given };
}

function listen(at: string | { port: number; host: string }): Server {
	return createServer((socket) =>
		socket
			.on("error", () => {})
			.resume()
			.end(),
	).listen(at);
}

/** Starts a hostile program outside, with everything that a caller could leave to it. */
export function attemptsOutside(program: string, given: Scene["given"]): Outcomes {
	const descriptor = openSync(join(given.host, "secret"), "r");
	const stdio = ["ignore", "pipe", "inherit", ...Array(NUMBER - 3).fill("ignore"), descriptor];
	const env = { ...process.env, NEARFAR_SECRET: "secret" };
	const words = [join(programs, program), JSON.stringify(given)];
	const { stdout } = spawnSync(python, words, { stdio, env, encoding: "utf8" });
	closeSync(descriptor);
	return JSON.parse(stdout);
}

/** Ends the servers and the processes, and removes the tree. */
export async function endScene({ host, servers, processes }: Scene): Promise<void> {
	for (const server of servers) server.close();
	for (const child of processes) {
		child.stdout?.destroy();
		if (child.exitCode === null) child.kill("SIGKILL");
		if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
	}
	rmSync(host, { recursive: true });
}
