// `npm run demo` runs the hostile program of examples in a sandbox of `nearfar run`, and `npm run demo -- COMMAND` that command.
import { spawn } from "node:child_process";
import { root } from "./run.mjs";
import { setup } from "./setup.mjs";

setup();

const command = process.argv.slice(2);
const program =
	command.length > 0
		? ["packages/nearfar/dist/nearfar.js", "run", "--preset", "closed", "--", ...command]
		: ["examples/dist/sandbox-demo.js"];
const child = spawn(process.execPath, program, {
	cwd: root,
	stdio: "inherit",
});
// The terminal sends SIGINT to both processes. The child decides what it means, and this process ends as the child does.
const forwarded = ["SIGINT", "SIGTERM", "SIGHUP"];
for (const signal of forwarded) process.on(signal, () => signal !== "SIGINT" && child.kill(signal));
child.on("exit", (code, signal) => {
	for (const name of forwarded) process.removeAllListeners(name);
	if (signal) process.kill(process.pid, signal);
	else process.exitCode = code;
});
