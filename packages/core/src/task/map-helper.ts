import { abortable } from "../abortable.ts";
import { native } from "../addon/native.ts";
import { environmentVariable } from "../environment.ts";
import { IdMapHelperError } from "../errors.ts";
import { closeRange, pipe } from "../files/files.ts";
import { pidInProc } from "../files/pidfd.ts";
import type { IdMap } from "../idmap/id-map.ts";
import { hintForHelper } from "../obstacles/helper-hint.ts";
import { say } from "../obstacles/say.ts";
import { type ExitStatus, howItEnded } from "../process/child-state.ts";
import { trackerOf } from "../process/child-tracker.ts";
import { SyscallError } from "../syscall-error.ts";
import { addHint } from "../target/explained.ts";
import { type AnyTask, nearTask } from "../target/target.ts";
import { endTask } from "./end.ts";
import type { Command } from "./exec-options.ts";
import type { MapTarget } from "./map-target.ts";
import { PipeTail } from "./pipe-tail.ts";

/** The set-user-id programs that write maps for an ordinary user. */
export type HelperName = "newuidmap" | "newgidmap";

const STDERR = 2;
const LONGEST_LINE = 400; // characters of the output that a message repeats

/** Where and how a helper runs. */
interface Run {
	readonly target: MapTarget;
	/** The path of the map, for errors. */
	readonly path: string;
	/** The task that the helper is cloned from. */
	readonly by: AnyTask;
	readonly signal: AbortSignal | undefined;
}

/**
 * Runs newuidmap(1) or newgidmap(1), and waits for the end of the program.
 *
 * The program finds the process by its pid. So the process has to be a child: the pid stays its own until the program has ended.
 */
export async function runMapHelper(name: HelperName, map: IdMap, run: Run): Promise<void> {
	const release = holdPid(run);
	try {
		const argv = [
			name,
			`${pidForHelper(run)}`,
			...map.mappings.flatMap(({ inside, outside, count }) => [inside, outside, count]),
		];
		const command = { path: name, argv: argv.map(String) };
		const { status, stderr } = await execute(command, run);
		if (status.code !== 0) {
			const hint = await hintForHelper(name, map, run.by, stderr);
			const facts = { status, command, stderr, ...(hint !== undefined && { hint }) };
			throw new IdMapHelperError(toMessage(name, status, stderr), facts);
		}
	} finally {
		release();
	}
}

/** Keeps the target from being reaped, and returns the function that ends that. */
function holdPid({ target: { child }, path }: Run): () => void {
	if (!child) {
		const words = "the process is no child of this process, so that its pid may become that of another process";
		throw new SyscallError({ code: "ECHILD", errno: 10, syscall: "waitid", words }, { path });
	}
	const { id } = trackerOf(child);
	if (!native().holdChild(id)) throw new SyscallError({ code: "ESRCH", errno: 3, syscall: "waitid" }, { path });
	return () => native().releaseChild(id);
}

/** Returns the pid by which the `/proc` that the helper will see shows the target. */
function pidForHelper({ target, path, by }: Run): number {
	using copy = by.isNear ? undefined : by.put(target.pidfd);
	const pid = by.run(() => pidInProc((copy ?? target.pidfd).fd));
	if (pid !== undefined) return pid;
	const hint = `the /proc of ${by} belongs to a pid namespace in which the process is not visible`;
	throw new SyscallError({ code: "ENOENT", errno: 2, syscall: "openat2" }, { path, hint });
}

/** Executes a helper in a new task, and returns how the program has ended, with the end of its error output. */
async function execute({ path, argv }: Command, { by, signal }: Run): Promise<{ status: ExitStatus; stderr: string }> {
	const PATH = environmentVariable("PATH");
	const env = { PATH: PATH ? `${PATH}:/usr/bin` : "/usr/bin" };
	const [read, write] = nearTask().run(() => pipe());
	using stderr = write;
	using tail = new PipeTail(read);
	const task = await by
		.clone({
			...(signal && { signal }),
			begin(task) {
				task.put(stderr, { number: STDERR, closeOnExec: false });
				closeRange(0, 1);
				task.exec(path, argv, { env, deathSignal: "SIGKILL" });
			},
		})
		.catch((error) => {
			const isMissing = error instanceof SyscallError && error.syscall === "execve" && error.code === "ENOENT";
			if (isMissing) addHint(error, () => say("helper-missing", { helper: path, path: env.PATH }));
			throw error;
		});
	stderr.close(); // so that the pipe ends with the helper
	const { process: child } = task;
	try {
		const status = await abortable<ExitStatus>(signal, (resolve, reject) => {
			child.exited.then(resolve, reject);
			return () => {}; // the helper is killed below
		});
		return { status, stderr: tail.text() };
	} catch (error) {
		await endTask(task);
		throw error;
	}
}

/** Returns the message for a helper that has failed: how the program has ended, and its last line. */
function toMessage(name: string, status: ExitStatus, stderr: string): string {
	const line = stderr.trimEnd().split("\n").at(-1)?.trim() ?? "";
	const said = line.startsWith(`${name}: `) ? line.slice(name.length + 2) : line;
	return `${name} ${howItEnded(status)}${said && `: ${said.slice(0, LONGEST_LINE)}`}`;
}
