// `npm run demo -- [command]` runs examples/isolate.ts, if this machine allows user namespaces.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { root, stop } from "./run.mjs";
import { setup } from "./setup.mjs";

setup();
const obstacle = findObstacle();
if (obstacle) stop(`no user namespace can be made here: ${obstacle}.`);

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

function findObstacle() {
	if (read("/proc/sys/user/max_user_namespaces") === "0") return "sysctl user.max_user_namespaces is 0";
	if (process.geteuid() === 0) return undefined;
	if (read("/proc/sys/kernel/unprivileged_userns_clone") === "0")
		return "sysctl kernel.unprivileged_userns_clone is 0, so only root may";
	const restricted = read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") === "1";
	// AppArmor allows user namespaces to a program whose own profile says so.
	if (restricted && read("/proc/self/attr/current") === "unconfined")
		return "sysctl kernel.apparmor_restrict_unprivileged_userns is 1, so only root and programs with an AppArmor profile may";
}

function read(path) {
	return existsSync(path) ? readFileSync(path, "utf8").trim() : undefined;
}
