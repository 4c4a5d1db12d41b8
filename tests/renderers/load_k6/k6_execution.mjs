import { host } from './host.mjs';

const told = (name) => {
  if (host.scenario === undefined) {
    throw new Error('getting scenario information outside of an executor is not supported');
  }
  return host.scenario[name];
};

export default {
  scenario: {
    get startTime() {
      return told('startTime');
    },
    get iterationInTest() {
      return told('iterationInTest');
    },
  },
};
