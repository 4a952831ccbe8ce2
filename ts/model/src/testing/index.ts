export { FakeClock, settle } from "./fake-clock.ts";
export { processClock } from "./process-clock.ts";
export { SeededRandom } from "./seeded-random.ts";
