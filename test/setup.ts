// Runs in every test file: what a file changes of this process, or leaves behind, fails that file.
import { makeTasksInspectable } from "./inspectable.ts";
import { expectNoLeaks } from "./leaks.ts";
import { skipWhatNeedsProc } from "./without-proc.ts";

makeTasksInspectable();
skipWhatNeedsProc();
expectNoLeaks();
