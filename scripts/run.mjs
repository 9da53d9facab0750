// Runs a command for a script, and ends the script with a message.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** Runs a command without printing its output. If the command fails, prints the output and ends this process. */
export function run(command, args, options = {}) {
	const result = spawnSync(command, args, {
		cwd: root,
		encoding: "utf8",
		maxBuffer: 2 ** 28,
		stdio: ["ignore", "pipe", "pipe"],
		...options,
		env: {
			...process.env,
			PATH: `${join(root, "node_modules/.bin")}:${process.env.PATH}`,
			TURBO_TELEMETRY_DISABLED: "1",
			TURBO_NO_UPDATE_NOTIFIER: "1",
			DO_NOT_TRACK: "1",
			...options.env,
		},
	});
	if (result.status === 0) return result.stdout;
	const reason = result.error?.message ?? `status ${result.status ?? result.signal}`;
	process.stderr.write(`${result.stdout ?? ""}${result.stderr ?? ""}`);
	stop(`failed (${reason}): ${command} ${args.join(" ")}`);
}

export function stop(message) {
	console.error(`nearfar: ${message}`);
	process.exit(1);
}
