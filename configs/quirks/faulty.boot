## the header was lost
include:config <common.cfg>
include:config "sub/office.cfg"
[T46S,T48S]include:config <http://192.0.2.1/t4s.cfg>
[]include:config "none.cfg"
include:config office.cfg
include:config "notes.txt"
include:contacts "contacts.cfg"
overwrite_mode = yes
specific_model.excluded_mode = 1
account.1.label = Alice
what is this
