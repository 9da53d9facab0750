// `npm run demo -- [command]` runs examples/isolate.ts. Where the machine refuses, the example says what is in the way.
import { spawn } from "node:child_process";
import { root } from "./run.mjs";
import { setup } from "./setup.mjs";

setup();

const child = spawn(process.execPath, ["examples/dist/isolate.js", ...process.argv.slice(2)], {
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
