// What a program does with any of the generated clients: the quickstart, a busy line, three errors.
// Each client has a module of its own that fills in these four functions by its generated types.

export interface Problem { status: number, code: string, detail: string, errors?: Array<{ pointer: string, detail: string }> }
export type Result<T> = { data: T, problem?: undefined } | { data?: undefined, problem: Problem }
interface Call { status: string, transcript: string | null, duration: number | null }

export interface Voice {
  listAgents: () => Promise<Result<{ agents: Array<{ key: string, name: string }> }>>
  createCall: (phone: string, agent: string) => Promise<Result<{ call_id: string }>>
  getCall: (callId: string) => Promise<Result<Call>>
  complete: (status: 'completed' | 'busy', transcript: string | null, duration: number) => Promise<Result<{ received: boolean }>>
}

export const origin = process.env['VOICE_API_URL'] ?? ''
export const key = process.env['VOICE_API_KEY'] ?? ''
const NEVER_COMPLETES = '+12025550130'

export async function run (voice: Voice): Promise<void> {
  const { agents } = of(await voice.listAgents())
  const [first] = agents
  if (first === undefined) throw new Error('there is no agent')

  const { call_id: spoken } = of(await voice.createCall(NEVER_COMPLETES, first.key))
  expect((of(await voice.getCall(spoken))).status === 'queued', 'a new call is queued')
  expect((of(await voice.complete('completed', 'agent: Hello\nuser: Hi', 120))).received, 'a completion is received')
  const ended = of(await voice.getCall(spoken))
  expect(ended.status === 'completed' && ended.duration === 120, 'the call has ended')

  const { call_id: busy } = of(await voice.createCall(NEVER_COMPLETES, first.key))
  of(await voice.complete('busy', null, 0))
  const unanswered = of(await voice.getCall(busy))
  expect(unanswered.status === 'busy' && unanswered.transcript === null, 'the line is busy')

  const invalid = problemOf(await voice.createCall('123', first.key))
  expect(invalid.status === 422 && invalid.errors?.[0]?.pointer === '/phone', 'a wrong number is named')
  const unknown = problemOf(await voice.getCall('00000000-0000-4000-8000-000000000000'))
  expect(unknown.status === 404 && unknown.code === 'call_not_found', 'an unknown call is named')
  const conflict = problemOf(await voice.complete('completed', 'agent: No', 1))
  expect(conflict.code === 'call_already_ended' && conflict.detail !== '', 'a second result is rejected')
}

function of<T> (result: Result<T>): T {
  if (result.problem !== undefined) throw new Error(`${result.problem.code}: ${result.problem.detail}`)
  return result.data
}

function problemOf (result: Result<unknown>): Problem {
  if (result.problem === undefined) throw new Error('it is not rejected')
  return result.problem
}

function expect (holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}
