/**
 * The duplicate chooser of the queues page. It shows the candidates side by side, and one click decides.
 */
( () => {
	'use strict';

	const page = window.tillsyncQueues;
	const { words, element, fill } = page;

	const card = ( customer, choose ) => {
		const id = page.newId();
		const facts = [ [ words.number, customer.id ], [ words.email, customer.email ], [ words.card, customer.card ], [ words.points, customer.points ], [ words.balance, customer.balance ], [ words.since, customer.sign_up_date ] ];
		const action = element( 'button', {
			type: 'button',
			className: 'button button-primary',
			textContent: words.thisOne,
			'aria-label': fill( words.thisOneLong, customer.name || words.noName, customer.id ),
		} );
		action.addEventListener( 'click', () => page.busy( action, () => choose( customer ) ) );
		return element(
			'li',
			{ className: 'tillsync-candidate', 'aria-labelledby': id },
			element( 'h3', { id }, element( 'bdi', { textContent: customer.name || words.noName } ) ),
			element( 'dl', {}, facts.flatMap( ( [ name, value ] ) => [ element( 'dt', { textContent: name } ), element( 'dd', {}, element( 'bdi', { textContent: value || '–' } ) ) ] ) ),
			customer.taken ? element( 'p', { className: 'tillsync-taken', textContent: words.taken } ) : action
		);
	};

	page.chooser = async ( row ) => {
		const { body, end } = page.dialog( words.chooseTitle, true );
		const said = element( 'p', { className: 'tillsync-dialog-said', role: 'status', textContent: words.loading } );
		body.append( element( 'p', {}, element( 'strong', {}, element( 'bdi', { textContent: row.subject } ) ) ), said );

		// Errors are shown inside the dialog, because it covers the page.
		const choose = async ( customer ) => {
			said.textContent = words.loading;
			try {
				const { message } = await page.call( `queues/entries/${ row.id }/customer`, 'POST', { epos_customer_id: customer.id } );
				end();
				page.say( message );
				await page.refresh();
			} catch ( error ) {
				said.textContent = page.sentence( error );
			}
		};

		const search = () => {
			const field = element( 'input', { type: 'search', id: page.newId(), maxLength: 254 } );
			const find = element( 'button', { type: 'submit', className: 'button', textContent: words.find } );
			const found = element( 'ul', { className: 'tillsync-candidates' } );
			const form = element( 'form', { className: 'tillsync-search-form' }, element( 'label', { htmlFor: field.id, textContent: words.otherSearch } ), element( 'div', { className: 'tillsync-search' }, field, find ) );
			form.addEventListener( 'submit', ( event ) => {
				event.preventDefault();
				const query = field.value.trim();
				if ( query === '' ) {
					return;
				}
				page.busy( find, async () => {
					said.textContent = words.loading;
					try {
						const { customers, truncated } = await page.call( `till-customers?query=${ encodeURIComponent( query ) }` );
						const own = Number( row.user_id || 0 );
						found.replaceChildren(
							...customers.map( ( customer ) => {
								const linked = Number( customer.linked_user_id || 0 );
								return card( { ...customer, sign_up_date: customer.sign_up_date.slice( 0, 10 ), taken: own > 0 && linked > 0 && linked !== own }, choose );
							} )
						);
						said.textContent = customers.length === 0 ? words.noneFound : truncated ? words.more : '';
					} catch ( error ) {
						said.textContent = page.sentence( error );
					}
				} );
			} );
			return [ form, found ];
		};

		let candidates = [];
		try {
			// A failed order has no candidates, so the person uses the search.
			const answer = row.state === 'held' ? await page.call( `queues/entries/${ row.id }/candidates` ) : { candidates: [], guest: ! row.user_id };
			candidates = answer.candidates;
			said.textContent = candidates.length === 0 ? words.chooseNone : '';
			body.append( element( 'p', { textContent: answer.guest ? words.chooseGuest : words.chooseHelp } ) );
		} catch ( error ) {
			said.textContent = page.sentence( error );
			if ( page.isExpired( error ) ) {
				return;
			}
		}
		const list = element( 'ul', { className: 'tillsync-candidates' }, candidates.map( ( candidate ) => card( candidate, choose ) ) );
		body.append( list, ...search() );
		( list.querySelector( 'button' ) || body.querySelector( 'input' ) )?.focus();
	};
} )();
