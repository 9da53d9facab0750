// `npm run soak`: runs bench/soak.ts, which looks for what stays behind.
import { bench } from "./bench.mjs";

bench("soak");
