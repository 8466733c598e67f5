"""Delegates, wishes, opt-outs, and contact points that are marked or reviewed."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ContactReview',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reference', models.CharField(help_text='"R-7F3K-22"', max_length=20, unique=True)),
                ('subject', models.CharField(help_text='"bill:261100000001234"', max_length=80)),
                ('opened_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
                ('closed_by', models.CharField(blank=True, default='', max_length=80)),
                ('outcome', models.CharField(blank=True, choices=[('REMOVED', 'REMOVED'), ('KEPT', 'KEPT'), ('CORRECTED', 'CORRECTED')], default='', help_text='the contact point was removed, is right after all, or was replaced', max_length=10)),
            ],
        ),
        migrations.CreateModel(
            name='Delegate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('recipient', models.SmallIntegerField(help_text='1, 2, ...; never used again for another person')),
                ('name', models.CharField(max_length=120)),
                ('relation', models.CharField(choices=[('RELATIVE', 'RELATIVE'), ('ACCOUNTANT', 'ACCOUNTANT'), ('OTHER', 'OTHER')], default='RELATIVE', max_length=12)),
                ('language', models.SmallIntegerField(choices=[(1, 'العربية'), (2, 'English'), (3, 'Français')], default=1)),
                ('may_pay', models.BooleanField(default=False, help_text='else: may see')),
                ('state', models.CharField(choices=[('INVITED', 'INVITED'), ('ACTIVE', 'ACTIVE'), ('DECLINED', 'DECLINED'), ('REVOKED', 'REVOKED'), ('EXPIRED', 'EXPIRED')], max_length=8)),
                ('invited_at', models.DateTimeField()),
                ('invited_by', models.CharField(help_text='"holder", "user:7"', max_length=80)),
                ('accepted_at', models.DateTimeField(null=True)),
                ('expires_on', models.DateField(help_text='the first day without; NULL: until revoked', null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('ended_by', models.CharField(blank=True, default='', help_text='"holder", "delegate", ...', max_length=80)),
            ],
        ),
        migrations.CreateModel(
            name='OptOut',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.SmallIntegerField(help_text='of notifications.MessageKind')),
                ('since', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Preference',
            fields=[
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, serialize=False, to='customers.customeraccount')),
                ('channels', models.JSONField(default=list, help_text='order of channels, first to last: ["WHATSAPP", "SMS"]; [] as in the plan')),
                ('excluded', models.JSONField(default=list, help_text='channels never to use: ["EMAIL"]')),
                ('plans', models.JSONField(default=dict, help_text='own steps for a kind: {"BILL_ISSUED": [{"channel": "SMS", ...}]}; set by staff')),
                ('wants_paper', models.BooleanField(default=False, help_text='a printed bill, whatever else arrives')),
                ('attaches_pdf', models.BooleanField(default=False, help_text='e-mails carry the bill, not only its link')),
                ('quiet_from', models.TimeField(help_text='local time; both or none', null=True)),
                ('quiet_to', models.TimeField(null=True)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='contactpoint',
            name='one_contact_once_per_account',
        ),
        migrations.AddField(
            model_name='contactpoint',
            name='mark',
            field=models.CharField(blank=True, choices=[('BOUNCED', 'BOUNCED'), ('COMPLAINED', 'COMPLAINED'), ('NOT_MINE', 'NOT_MINE')], default='', max_length=12),
        ),
        migrations.AddField(
            model_name='contactpoint',
            name='marked_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='contactpoint',
            name='recipient',
            field=models.SmallIntegerField(default=0, help_text="0: the holder; else the delegate's number"),
        ),
        migrations.AddField(
            model_name='customer',
            name='wants_digest',
            field=models.BooleanField(default=False, help_text='one message about all accounts, where a person holds many'),
        ),
        migrations.AlterField(
            model_name='contactpoint',
            name='channel',
            field=models.SmallIntegerField(choices=[(0, 'EMAIL'), (1, 'SMS'), (2, 'WHATSAPP'), (3, 'PUSH'), (4, 'PAPER'), (5, 'CALL')]),
        ),
        migrations.AddIndex(
            model_name='contactpoint',
            index=models.Index(condition=models.Q(('mark', ''), _negated=True), fields=['marked_at'], name='contact_marked'),
        ),
        migrations.AddConstraint(
            model_name='contactpoint',
            constraint=models.UniqueConstraint(fields=('account', 'recipient', 'channel', 'address_hash'), name='one_contact_once_per_person'),
        ),
        migrations.AddConstraint(
            model_name='contactpoint',
            constraint=models.CheckConstraint(condition=models.Q(('mark', ''), models.Q(('is_active', False), ('marked_at__isnull', False)), _connector='OR'), name='a_marked_contact_is_not_used'),
        ),
        migrations.AddField(
            model_name='contactreview',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='customers.customeraccount'),
        ),
        migrations.AddField(
            model_name='contactreview',
            name='contact_point',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='customers.contactpoint'),
        ),
        migrations.AddField(
            model_name='delegate',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='customers.customeraccount'),
        ),
        migrations.AddField(
            model_name='optout',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='customers.customeraccount'),
        ),
        migrations.AddConstraint(
            model_name='preference',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('quiet_from__isnull', True), ('quiet_to__isnull', True)), models.Q(('quiet_from__isnull', False), ('quiet_to__isnull', False), models.Q(('quiet_from', models.F('quiet_to')), _negated=True)), _connector='OR'), name='quiet_hours_have_both_ends'),
        ),
        migrations.AddIndex(
            model_name='contactreview',
            index=models.Index(condition=models.Q(('closed_at', None)), fields=['opened_at'], name='contact_review_open'),
        ),
        migrations.AddIndex(
            model_name='delegate',
            index=models.Index(fields=['state', 'expires_on'], name='delegate_by_state'),
        ),
        migrations.AddConstraint(
            model_name='delegate',
            constraint=models.UniqueConstraint(fields=('account', 'recipient'), name='a_number_names_one_delegate'),
        ),
        migrations.AddConstraint(
            model_name='delegate',
            constraint=models.CheckConstraint(condition=models.Q(('recipient__gte', 1)), name='number_0_is_the_holder'),
        ),
        migrations.AddConstraint(
            model_name='optout',
            constraint=models.UniqueConstraint(fields=('account', 'kind'), name='one_opt_out_per_kind'),
        ),
    ]
