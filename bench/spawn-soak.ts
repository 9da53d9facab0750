import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { setImmediate } from "node:timers/promises";
import { type Spawned, type SpawnOptions, spawn } from "@nearfar/process";

const mark = `NEARFAR_SOAK=${randomUUID()}`;
const env = { PATH: "/usr/bin:/bin", [mark.slice(0, 12)]: mark.slice(13) };
const silent = { stdio: "ignore", env } satisfies SpawnOptions;
const daemons = "(setsid sh -c 'sleep 1000 & exec sleep 1001' > /dev/null 2>&1 &);";

/** Every way in which a program starts and ends, as operations for the soak. */
export const spawns: Readonly<Record<string, (round: number) => Promise<unknown>>> = {
	async "a program without pipes"() {
		await (await spawn("/bin/true", [], silent)).check();
	},
	async "words through pipes"(round) {
		const child = await spawn("/bin/cat", [], { env });
		child.stdin?.end(`${round}`);
		await Promise.all([said(child, `${round}`), child.check()]);
	},
	async "a tree with daemons that ends"() {
		const child = await spawn("/bin/sh", ["-c", `${daemons} exit 3`], { ...silent, killTree: true });
		await ended(child, 3);
	},
	async "a tree with daemons that is disposed"() {
		await using child = await spawn("/bin/sh", ["-c", `${daemons} exec cat`], { env, killTree: true });
		await setImmediate(child);
	},
	async "an init"() {
		const options: SpawnOptions = { env, namespaces: ["user", "pid"], init: true };
		const child = await spawn("/bin/sh", ["-c", "(exit 4 &); echo $$"], options);
		await Promise.all([said(child, "2\n"), child.check()]);
	},
	async "aborted, sooner or later"(round) {
		const control = new AbortController();
		const starting = spawn("sleep", ["1000"], { env, signal: control.signal, killTree: round % 2 === 0 });
		const seen = starting.then(
			(child) => ended(child, "SIGTERM"),
			(error) => expectCode(error, "ABORT_ERR"),
		);
		for (let turn = 0; turn < round % 6; turn++) await setImmediate();
		control.abort();
		await seen;
	},
	async "out of time"(round) {
		const options: SpawnOptions = { ...silent, timeout: 1 + (round % 8), killSignal: "SIGKILL" };
		await spawn("sleep", ["1000"], options).then(
			(child) => ended(child, "SIGKILL"),
			(error) => expectCode(error, "ERR_NEARFAR_TIMEOUT"),
		);
	},
	async "a setup that throws, or never settles"(round) {
		const never = round % 2 === 0;
		const setup = () =>
			never ? new Promise<void>(() => {}) : Promise.reject(Object.assign(new Error(), { code: "mine" }));
		const failure = spawn("true", [], { env, setup, killTree: true, ...(never && { timeout: 5 }) });
		await failure.then(unexpected, (error) => expectCode(error, never ? "ERR_NEARFAR_TIMEOUT" : "mine"));
	},
	async "what cannot be started"(round) {
		const options: SpawnOptions = round % 2 === 0 ? { env } : { env, cwd: "/nowhere", killTree: true };
		await spawn("/nowhere/at/all", [], options).then(unexpected, (error) => expectCode(error, "ENOENT"));
	},
};

/** Returns the programs of the soak that still run, without zombies. */
export function alive(): string[] {
	const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
	return pids.filter((pid) => environment(pid).includes(mark)).map((pid) => `process ${pid}`);
}

function environment(pid: string): string {
	try {
		return readFileSync(`/proc/${pid}/environ`, "latin1");
	} catch {
		return ""; // the process belongs to another user, or has ended meanwhile
	}
}

async function said(child: Spawned, words: string): Promise<void> {
	const [out] = await Promise.all([child.stdout && text(child.stdout), child.stderr && text(child.stderr)]);
	if (out !== words) throw new Error(`${child} said ${JSON.stringify(out)}, not ${JSON.stringify(words)}`);
}

async function ended(child: Spawned, how: number | NodeJS.Signals): Promise<void> {
	for (const stream of child.stdio) stream?.destroy();
	const { code, signal } = await child.exited;
	if ((signal ?? code) !== how) throw new Error(`${child} ended with ${signal ?? code}, not ${how}`);
}

function expectCode(error: NodeJS.ErrnoException, code: string): void {
	if (error.code !== code) throw error;
}

function unexpected(child: Spawned): never {
	throw new Error(`${child} runs`);
}
