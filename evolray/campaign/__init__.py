"""WizardCoder's loop: another generation while the score on a development set rises; every step a Ray job."""

from evolray.calling import calls_function

calls_function(__name__)
