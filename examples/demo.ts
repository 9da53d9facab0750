// The sandbox of `isolate.ts` as a program.
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { type ChildProcess, type ExitStatus, probe, SyscallError } from "@nearfar/core";
import { homeOfCaller } from "./host.ts";
import type { Knowledge } from "./hostile.ts";
import { isolate } from "./isolate.ts";

const ROUNDS = 20;
const forwarded = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs a command, or the hostile program, in the sandbox. Ends with the same exit code or signal. */
export async function main(command: readonly string[]): Promise<void> {
	try {
		const status = command.length > 0 ? await run(command) : await attack();
		// If another program reads the output, only the command writes to it.
		if (command.length === 0) console.log(await times());
		else if (process.stderr.isTTY && status.signal === null) console.error(await times());
		endAs(status);
	} catch (error) {
		if (!(error instanceof SyscallError)) throw error;
		const started = error.syscall === "execve";
		console.error(
			`isolate: ${started ? "" : "this system does not let us build the sandbox: "}${await explain(error)}`,
		);
		process.exitCode = started ? (error.code === "ENOENT" ? 127 : 126) : 125;
	}
}

async function run(command: readonly string[], bind?: Record<string, string>): Promise<ExitStatus> {
	let child: ChildProcess | undefined;
	let early: NodeJS.Signals | undefined;
	const forward = (signal: NodeJS.Signals) => {
		if (!child) early = signal;
		else if (!child.death) child.kill(signal);
	};
	for (const signal of forwarded) process.on(signal, forward);
	try {
		child = await isolate(command, bind);
		if (early) forward(early);
		return await child.exited;
	} finally {
		for (const signal of forwarded) process.off(signal, forward);
	}
}

async function attack(): Promise<ExitStatus> {
	const server = createServer().listen(0, "127.0.0.1");
	await new Promise((resolve) => server.once("listening", resolve));
	const { port } = server.address() as AddressInfo;
	const home = homeOfCaller();
	const folder = mkdtempSync(join(tmpdir(), "nearfar-demo-"));
	const marker = join(folder, "marker");
	writeFileSync(marker, "untouched");
	chmodSync(marker, 0o666);
	chmodSync(folder, 0o777);
	const knowledge: Knowledge = { home, homeId: id(home), rootId: id("/"), marker, port };
	// Node and this file may lie in a home directory, which the sandbox must not show.
	const program = readFileSync(new URL("./hostile.js", import.meta.url), "utf8");
	const node = "/run/nearfar/node";
	const command = [node, "--input-type=module", "--eval", program, JSON.stringify(knowledge)];
	try {
		const status = await run(command, { [node]: process.execPath });
		const isSame = readFileSync(marker, "utf8") === "untouched" && readdirSync(folder).length === 1;
		if (!isSame) throw new Error("the hostile program has changed a file of the host");
		return status;
	} finally {
		rmSync(folder, { recursive: true });
		server.close();
	}
}

function id(path: string): string {
	const { dev, ino } = statSync(path);
	return `${dev}:${ino}`;
}

async function times(): Promise<string> {
	const ours: number[] = [];
	const theirs: number[] = [];
	for (let round = 0; round < ROUNDS; round++) {
		ours.push(await time(async () => (await isolate(["true"])).exited));
		theirs.push(await time(() => new Promise((resolve) => spawn("true", { stdio: "inherit" }).on("exit", resolve))));
	}
	const [isolated, spawned] = [ours, theirs].map((all) => all.sort((a, b) => a - b)[ROUNDS / 2]?.toFixed(2));
	return `\`true\` took ${isolated} ms isolated, ${spawned} ms with child_process.spawn (medians of ${ROUNDS} runs)`;
}

async function time(fn: () => Promise<unknown>): Promise<number> {
	const start = performance.now();
	await fn();
	return performance.now() - start;
}

function endAs({ code, signal }: ExitStatus): void {
	const number = typeof signal === "string" ? constants.signals[signal] : signal;
	process.exitCode = code ?? 128 + (number ?? 0);
	// Node starts its inspector on SIGUSR1 and ignores some other signals. The exit code stands for these.
	if (number !== null && signal !== "SIGUSR1") process.kill(process.pid, number);
}

/** Returns the message with what stands in the way: the hint of the error, or else what a probe has found. */
async function explain({ message, syscall, hint }: SyscallError): Promise<string> {
	if (hint !== undefined) return `${message}\n  ${hint}`;
	if (!syscall.startsWith("clone")) return message;
	const { namespaces, obstacles } = await probe();
	const reasons = Object.values(namespaces).flatMap(({ withUser }) => withUser.because ?? []);
	const found = obstacles.filter(({ name }) => reasons.includes(name));
	return [message, ...found.map(({ sentence, fix }) => `${sentence} Fix: ${fix[0]}`)].join("\n  ");
}
