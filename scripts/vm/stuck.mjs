// `node scripts/vm/stuck.mjs SECONDS`: waits, and shows then what every process of the machine waits for. A test whose event loop is
// blocked, as by a call into a task that is frozen, cannot tell of itself.
import { setTimeout } from "node:timers/promises";
import { descendants, describeThreads } from "../../test/processes.js";

const [seconds] = process.argv.slice(2).map(Number);
await setTimeout(seconds * 1000);
for (const pid of descendants(1)) if (pid !== process.pid) console.log(describeThreads(pid));
