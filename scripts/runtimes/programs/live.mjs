// Has a task, and a program with killTree. Writes their pids, and ends in the way that its argument says.
import { Task } from "@nearfar/core";
import { spawn } from "@nearfar/process";

const task = await Task.clone();
const child = await spawn("sleep", ["60"], { killTree: true, stdio: "ignore" });
console.log(JSON.stringify([task.pid, child.pid]));
const [how] = process.argv.slice(2);
if (how === "exit") process.exit(5);
if (how === "throw") throw new Error("an expected exception");
setInterval(() => {}, 1000);
