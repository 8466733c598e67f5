"""State shared about providers, proof of reach, sheets for people, early receipts, edited templates."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0004_single_bills'),
    ]

    operations = [
        migrations.CreateModel(
            name='Reach',
            fields=[
                ('pk', models.CompositePrimaryKey('period', 'ref', blank=True, editable=False, primary_key=True, serialize=False)),
                ('period', models.IntegerField()),
                ('ref', models.BigIntegerField(help_text="the bill's number")),
                ('kind', models.SmallIntegerField(choices=[(1, 'BILL_ISSUED'), (2, 'SINGLE_BILL_ISSUED'), (3, 'DUE_SOON'), (4, 'OVERDUE'), (5, 'FINAL_NOTICE'), (6, 'PAYMENT_RECEIVED'), (7, 'ONE_TIME_CODE'), (8, 'LOW_BALANCE'), (9, 'TOKEN'), (10, 'REQUEST_UPDATE'), (11, 'CAMPAIGN'), (12, 'DELEGATE_INVITED'), (13, 'DELEGATE_CHANGED')])),
                ('account_id', models.BigIntegerField()),
                ('how', models.SmallIntegerField(choices=[(1, 'RECEIPT'), (2, 'READ_RECEIPT'), (3, 'LINK_VIEW'), (4, 'PORTAL_VIEW'), (5, 'PAYMENT'), (6, 'CLERK'), (7, 'CALLER'), (8, 'PAPER')])),
                ('channel', models.SmallIntegerField(choices=[(0, 'EMAIL'), (1, 'SMS'), (2, 'WHATSAPP'), (3, 'PUSH'), (4, 'PAPER'), (5, 'CALL')], help_text='NULL: none of ours', null=True)),
                ('recipient', models.SmallIntegerField(help_text="0: the holder; else the delegate's number")),
                ('reached_at', models.DateTimeField()),
                ('witness', models.CharField(help_text='"provider:sms-first", "link", "user:7"', max_length=80)),
            ],
            options={
                'verbose_name_plural': 'reach',
                'db_table': 'notifications_reach',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Payload',
            fields=[
                ('ref', models.BigAutoField(primary_key=True, serialize=False)),
                ('period', models.IntegerField()),
                ('kind', models.SmallIntegerField(choices=[(1, 'BILL_ISSUED'), (2, 'SINGLE_BILL_ISSUED'), (3, 'DUE_SOON'), (4, 'OVERDUE'), (5, 'FINAL_NOTICE'), (6, 'PAYMENT_RECEIVED'), (7, 'ONE_TIME_CODE'), (8, 'LOW_BALANCE'), (9, 'TOKEN'), (10, 'REQUEST_UPDATE'), (11, 'CAMPAIGN'), (12, 'DELEGATE_INVITED'), (13, 'DELEGATE_CHANGED')])),
                ('facts_sealed', models.BinaryField()),
                ('created_at', models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name='Provider',
            fields=[
                ('code', models.CharField(max_length=30, unique=True)),
                ('number', models.SmallAutoField(primary_key=True, serialize=False)),
                ('channel', models.SmallIntegerField(choices=[(0, 'EMAIL'), (1, 'SMS'), (2, 'WHATSAPP'), (3, 'PUSH'), (4, 'PAPER'), (5, 'CALL')])),
                ('weight', models.SmallIntegerField(help_text='falls on errors and slow receipts, drifts back to `most_weight`')),
                ('most_weight', models.SmallIntegerField(help_text="the file's weight")),
                ('is_paused', models.BooleanField(default=False)),
                ('next_free_at', models.DateTimeField(help_text='the next moment that no worker has taken', null=True)),
                ('window_began_at', models.DateTimeField(null=True)),
                ('window_sent', models.IntegerField(default=0)),
                ('window_failed', models.IntegerField(default=0, help_text="not the recipient's fault")),
                ('window_received', models.IntegerField(default=0)),
                ('window_slow', models.IntegerField(default=0, help_text='of the received: too late')),
            ],
        ),
        migrations.CreateModel(
            name='Sheet',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('channel', models.SmallIntegerField(choices=[(0, 'EMAIL'), (1, 'SMS'), (2, 'WHATSAPP'), (3, 'PUSH'), (4, 'PAPER'), (5, 'CALL')], help_text='PAPER or CALL')),
                ('period', models.IntegerField()),
                ('service_centre_id', models.BigIntegerField(help_text='NULL: calls are made from one place', null=True)),
                ('entries', models.IntegerField()),
                ('made_at', models.DateTimeField()),
                ('made_by', models.CharField(max_length=80)),
                ('closed_at', models.DateTimeField(help_text='when every entry had its outcome', null=True)),
                ('closed_by', models.CharField(blank=True, default='', max_length=80)),
            ],
        ),
        migrations.AddField(
            model_name='messagebatch',
            name='paused_at',
            field=models.DateTimeField(help_text='by staff; nothing is claimed until it is resumed', null=True),
        ),
        migrations.AddField(
            model_name='messagebatch',
            name='has_digests',
            field=models.BooleanField(default=False, help_text='some messages speak for several documents'),
        ),
        migrations.AddField(
            model_name='messagebatch',
            name='stopped_at',
            field=models.DateTimeField(help_text='by staff; what was queued is CANCELLED', null=True),
        ),
        migrations.AlterField(
            model_name='messagebatch',
            name='kind',
            field=models.SmallIntegerField(choices=[(1, 'BILL_ISSUED'), (2, 'SINGLE_BILL_ISSUED'), (3, 'DUE_SOON'), (4, 'OVERDUE'), (5, 'FINAL_NOTICE'), (6, 'PAYMENT_RECEIVED'), (7, 'ONE_TIME_CODE'), (8, 'LOW_BALANCE'), (9, 'TOKEN'), (10, 'REQUEST_UPDATE'), (11, 'CAMPAIGN'), (12, 'DELEGATE_INVITED'), (13, 'DELEGATE_CHANGED')]),
        ),
        migrations.CreateModel(
            name='EarlyReceipt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.SmallIntegerField()),
                ('provider_ref', models.CharField(max_length=120)),
                ('delivery_key', models.CharField(blank=True, max_length=80)),
                ('address_hash', models.BinaryField(max_length=16, null=True)),
                ('state', models.CharField(max_length=12)),
                ('reason', models.CharField(blank=True, max_length=40)),
                ('at', models.DateTimeField(null=True)),
                ('cost_micro', models.BigIntegerField(null=True)),
                ('stored_at', models.DateTimeField(db_index=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('provider', 'provider_ref', 'delivery_key', 'state'), name='one_early_receipt_once')],
            },
        ),
        migrations.CreateModel(
            name='TemplateVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('template', models.CharField(help_text='"bill_issued"', max_length=40)),
                ('channel', models.SmallIntegerField(choices=[(0, 'EMAIL'), (1, 'SMS'), (2, 'WHATSAPP'), (3, 'PUSH'), (4, 'PAPER'), (5, 'CALL')])),
                ('language', models.SmallIntegerField(choices=[(1, 'العربية'), (2, 'English'), (3, 'Français')])),
                ('version', models.IntegerField()),
                ('words', models.JSONField(help_text="the channel's texts, by name")),
                ('written_at', models.DateTimeField()),
                ('written_by', models.CharField(max_length=80)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('template', 'channel', 'language', 'version'), name='one_version_once')],
            },
        ),
    ]
