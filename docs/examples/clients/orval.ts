import { createCall, listAgents } from './voice-api'

const { fetch } = globalThis // orval calls paths: put the base URL before them
globalThis.fetch = (path, options) => fetch(`${process.env['VOICE_API_URL']}${path}`, options)
const signed = { headers: { Authorization: `Bearer ${process.env['VOICE_API_KEY']}` } }

const list = await listAgents(signed)
const agent = list.status === 200 ? list.data.agents[0]?.key ?? '' : ''
const created = await createCall({ phone: '+12025550100', agent }, signed)
if (created.status !== 201) throw new Error(`${created.data.code}: ${created.data.detail}`)
console.log(created.data.call_id)
