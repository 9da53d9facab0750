// Starts a program, and leaves the waiting to the event loop.
import { spawn } from "@nearfar/process";

const [how] = process.argv.slice(2);
const child = await spawn("sleep", [how === "ref" ? "0.1" : "60"], { stdio: "ignore", killTree: true });
child.exited.then(() => console.log("ended"));
if (how === "unref") child.unref();
