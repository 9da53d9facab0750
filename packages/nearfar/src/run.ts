import { constants } from "node:os";

/** Runs a command in a sandbox, and returns the exit code. */
export async function run(args: readonly string[]): Promise<number> {
	const { start } = await import("@nearfar/sandbox"); // later than the check of the arguments, because loading takes a while
	const [file = "", ...rest] = args[0] === "--" ? args.slice(1) : args;
	const started = await start(file, rest, { stdio: ["inherit", "inherit", "inherit"] });
	const { code, signal } = await started.result;
	return code ?? 128 + (typeof signal === "number" ? signal : constants.signals[signal ?? "SIGKILL"]);
}
