/**
 * Rows of the queues page, from the queues and from the outbox, with their details and buttons.
 */
( () => {
	'use strict';

	const page = window.tillsyncQueues;
	const { words, element, fill } = page;

	const button = ( name, subject, kind, work ) => {
		const made = element( 'button', { type: 'button', className: `button ${ kind }`, textContent: name, 'aria-label': fill( words.actionOf, name, subject ) } );
		made.addEventListener( 'click', () => page.busy( made, work ) );
		return made;
	};

	// Narrow screens show rows as cards, which removes the table's semantics. The roles keep them.
	const cell = ( label, ...children ) => element( 'td', { role: 'cell', 'data-label': label }, ...children );

	const times = ( pairs ) =>
		element( 'dl', { className: 'tillsync-times' }, pairs.filter( ( [ , value ] ) => value ).flatMap( ( [ name, value ] ) => [ element( 'dt', { textContent: name } ), element( 'dd', { textContent: value } ) ] ) );

	const subjectOf = ( row ) =>
		element( 'strong', { className: 'tillsync-subject' }, row.order_url || row.user_url ? element( 'a', { href: row.order_url || row.user_url, textContent: row.subject, dir: 'auto' } ) : element( 'bdi', { textContent: row.subject } ) );

	const notesOf = ( notes ) =>
		notes.length ? element( 'ul', { className: 'tillsync-notes', lang: 'en', dir: 'ltr' }, notes.map( ( note ) => element( 'li', { textContent: note } ) ) ) : null;

	// Support staff know the comment word by word, so it is never translated and always left to right.
	const verbatim = ( text ) => element( 'p', { className: 'tillsync-comment', lang: 'en', dir: 'ltr', translate: 'no', textContent: text } );

	const explanation = ( { meaning, what_to_do: todo, translated } ) => {
		const language = translated ? {} : { lang: 'en', dir: 'ltr' };
		return [
			meaning ? element( 'p', language, element( 'span', { className: 'tillsync-term', textContent: `${ words.meaning }: ` } ), meaning ) : null,
			todo ? element( 'p', language, element( 'span', { className: 'tillsync-term', textContent: `${ words.whatToDo }: ` } ), todo ) : null,
		];
	};

	const attemptOf = ( attempt ) =>
		element(
			'li',
			{},
			element( 'strong', { textContent: fill( words.attempt, attempt.number ) } ),
			' ',
			[ attempt.began, attempt.side, attempt.status, attempt.charged ? '' : words.uncharged ].filter( Boolean ).join( ' · ' ),
			attempt.comment ? verbatim( attempt.comment ) : null,
			notesOf( attempt.notes )
		);

	const detailsOf = ( row ) => {
		const list = element( 'div', { className: 'tillsync-attempts', 'aria-live': 'polite' } );
		const made = element( 'details', {}, element( 'summary', { 'aria-label': fill( words.showDetails, row.subject ), textContent: `${ words.details } (${ row.attempts })` } ), list );
		made.addEventListener( 'toggle', async () => {
			if ( ! made.open ) {
				page.opened.delete( row.id );
				return;
			}
			page.opened.add( row.id );
			list.textContent = words.loading;
			try {
				const { attempts } = await page.call( `queues/entries/${ row.id }` );
				list.replaceChildren( attempts.length ? element( 'ol', { reversed: true }, attempts.map( attemptOf ) ) : words.noAttempts );
			} catch ( error ) {
				list.textContent = page.sentence( error );
			}
		} );
		made.open = page.opened.has( row.id );
		return made;
	};

	/** Ids of entries whose attempts are open. They stay open when the page refreshes. */
	page.opened = new Set();

	const retry = async ( row ) => {
		const { affected, joined, failures } = await page.call( 'queues/retry', 'POST', { entry_ids: [ row.id ] } );
		page.say( affected + joined ? fill( words.retried, row.subject ) : failures[ 0 ] || words.unchanged );
		await page.refresh();
	};

	/** Retries chunk by chunk. `step` gets the total so far. */
	const through = async ( data, step ) => {
		let total = 0;
		let next = '';
		do {
			// oxlint-disable-next-line no-await-in-loop -- each answer names the next chunk
			const done = await page.call( 'queues/retry', 'POST', { ...data, next } );
			total += done.affected + done.joined;
			step( total );
			next = done.next;
		} while ( next );
		return total;
	};

	const retrySame = async ( row ) => {
		const data = { queue: page.queue(), outcome: row.outcome };
		page.say( words.counting );
		const count = await through( { ...data, only_ask: true }, () => {} );
		page.say( '' );
		if ( ! count ) {
			page.say( words.noneSame );
		} else if ( await page.ask( row.comment || words.retrySame, fill( words.askSame, count.toLocaleString() ) ) ) {
			const done = await through( data, ( total ) => page.say( fill( words.retried, total.toLocaleString() ) ) );
			page.say( fill( words.retried, done.toLocaleString() ) );
			await page.refresh();
		}
	};

	const dismiss = async ( row ) => {
		if ( await page.ask( words.dismiss, fill( words.askDismiss, row.subject ) ) ) {
			const { affected, failures } = await page.call( 'queues/dismiss', 'POST', { entry_ids: [ row.id ] } );
			page.say( affected ? words.dismissed : failures[ 0 ] || words.unchanged );
			await page.refresh();
		}
	};

	const badge = ( row ) => [ element( 'span', { className: `tillsync-badge tillsync-${ row.state }`, textContent: row.state_label } ), element( 'p', { className: 'tillsync-where', textContent: row.where } ) ];

	/** Returns a row of a queue. */
	page.entryRow = ( row ) =>
		element(
			'tr',
			{ role: 'row', 'data-entry': row.id },
			cell( words.subject, subjectOf( row ), element( 'dl', { className: 'tillsync-facts' }, row.facts.flatMap( ( [ name, value ] ) => [ element( 'dt', { textContent: name } ), element( 'dd', {}, element( 'bdi', { textContent: value } ) ) ] ) ) ),
			cell( words.state, badge( row ) ),
			cell(
				words.comment,
				row.comment ? verbatim( row.comment ) : element( 'p', { textContent: words.noComment } ),
				explanation( row.explained ),
				row.causes.filter( Boolean ).map( ( cause ) => element( 'p', {}, element( 'span', { className: 'tillsync-term', textContent: `${ words.alsoCause }: ` } ), cause ) ),
				notesOf( row.notes ),
				detailsOf( row )
			),
			cell( words.times, times( [ [ words.created, row.created ], [ words.updated, row.updated ], [ words.finished, row.finished ], [ words.nextTry, row.next_try ] ] ) ),
			cell(
				words.actions,
				element(
					'div',
					{ className: 'tillsync-row-buttons' },
					row.can_choose ? button( words.choose, row.subject, 'button-primary', () => page.chooser( row ) ) : null,
					row.can_retry ? button( words.retry, row.subject, '', () => retry( row ) ) : null,
					row.same_cause ? button( words.retrySame, row.comment, '', () => retrySame( row ) ) : null,
					row.can_dismiss ? button( words.dismiss, row.subject, 'button-link-delete', () => dismiss( row ) ) : null
				)
			)
		);

	/** Returns a row of the outbox. */
	page.outboxRow = ( row ) =>
		element(
			'tr',
			{ role: 'row', 'data-order': row.id },
			cell( words.subject, subjectOf( row ) ),
			cell( words.state, badge( row ) ),
			cell( words.comment, row.reason ? element( 'p', { textContent: row.reason, dir: 'auto' } ) : null ),
			cell( words.times, times( [ [ words.created, row.created ], [ words.nextTry, row.next_try ] ] ) ),
			cell(
				words.actions,
				button( words.sendNow, row.subject, '', async () => {
					const { message } = await page.call( `queues/outbox/${ row.id }/send`, 'POST' );
					page.say( message );
					await page.refresh();
				} )
			)
		);

	/**
	 * Returns a table with these rows. `rendered` holds the rows of the last table: unchanged ones are reused, so that focus and open details
	 * stay.
	 */
	page.table = ( caption, rows, make, rendered ) => {
		const heads = [ words.subject, words.state, words.comment, words.times, words.actions ];
		const made = rows.map( ( row ) => {
			const text = JSON.stringify( row );
			const kept = rendered.get( row.id );
			const node = kept?.text === text ? kept.node : make( row );
			return [ row.id, { text, node } ];
		} );
		rendered.clear();
		made.forEach( ( [ id, kept ] ) => rendered.set( id, kept ) );
		return element(
			'table',
			{ className: 'widefat striped tillsync-table', role: 'table' },
			element( 'caption', { className: 'screen-reader-text', textContent: caption } ),
			element( 'thead', { role: 'rowgroup' }, element( 'tr', { role: 'row' }, heads.map( ( head ) => element( 'th', { role: 'columnheader', scope: 'col', textContent: head } ) ) ) ),
			element( 'tbody', { role: 'rowgroup' }, made.map( ( [ , { node } ] ) => node ) )
		);
	};
} )();
