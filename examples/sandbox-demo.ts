// The hostile program in a sandbox of the command `nearfar run`: `node examples/dist/sandbox-demo.js`.
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { doctor } from "@nearfar/sandbox";
import { homeOfCaller } from "./host.ts";
import type { Knowledge } from "./hostile.ts";

const nearfar = fileURLToPath(new URL("../../packages/nearfar/dist/nearfar.js", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "nearfar-demo-"));
const server = await listen({ port: 0, host: "127.0.0.1" });
const name = `nearfar-demo-${process.pid}`;
const abstract = await listen({ path: `\0${name}` });
try {
	process.exitCode = await attack();
} finally {
	rmSync(folder, { recursive: true });
	server.close();
	abstract.close();
}

/** Runs the hostile program, and returns its exit code. */
async function attack(): Promise<number> {
	const home = homeOfCaller();
	const marker = join(folder, "marker");
	writeFileSync(marker, "untouched");
	chmodSync(marker, 0o666);
	chmodSync(folder, 0o777);
	const project = join(folder, "project");
	for (const path of ["", ".git", ".git/hooks", "out"]) mkdirSync(join(project, path));
	writeFileSync(join(project, ".env"), "SECRET=1");
	process.chdir(project);
	// Where the file system of a container cannot be id-mapped, root has no writable folder, and the demo shows the rest.
	const isWritable = (await doctor()).items.some(({ name, ok }) => name === "working directory" && ok);
	const knowledge: Knowledge = {
		home,
		homeId: id(home),
		rootId: id("/"),
		marker,
		port: (server.address() as AddressInfo).port,
		project: { isWritable, socket: name },
	};
	const program = readFileSync(new URL("./hostile.js", import.meta.url), "utf8");
	const config = join(folder, "config.json");
	const read = [
		"/usr",
		"/bin",
		"/sbin",
		"/lib?",
		"/lib32?",
		"/lib64?",
		"/libx32?",
		"/etc/alternatives?",
		"/etc/ld.so.cache?",
	];
	// Node may lie in a home directory, which is not shown.
	const shown = [...read, dirname(process.execPath)];
	writeFileSync(config, JSON.stringify({ read: shown, write: isWritable ? ["."] : [], cwd: isWritable ? "." : "/" }));
	const hostile = [process.execPath, "--input-type=module", "--eval", program, JSON.stringify(knowledge)];
	const command = [nearfar, "run", "--config", config, "--no-tty", "--time", "2m", "--", ...hostile];
	const env = { ...process.env, NEARFAR_DEMO_SECRET: "secret" };
	const child = spawn(process.execPath, command, { stdio: "inherit", env });
	const code = await new Promise<number | null>((resolve) => child.on("exit", resolve));
	const isSame = readFileSync(marker, "utf8") === "untouched" && readdirSync(folder).length === 3;
	const isProtected = readdirSync(".git/hooks").length === 0 && readFileSync(".env", "utf8") === "SECRET=1";
	if (!isSame || !isProtected) throw new Error("the hostile program has changed a file of the host");
	return code ?? 1;
}

function id(path: string): string {
	const { dev, ino } = statSync(path);
	return `${dev}:${ino}`;
}

async function listen(options: { path: string } | { port: number; host: string }): Promise<Server> {
	const made = createServer((socket) => socket.destroy()).listen(options);
	await new Promise((resolve) => made.once("listening", resolve));
	return made;
}
