/**
 * The queues page: lists, filters and paging. It refreshes every 15 seconds while it is visible.
 */
( () => {
	'use strict';

	const page = window.tillsyncQueues;
	const { words, element } = page;
	const root = document.querySelector( '#tillsync-queues' );
	if ( ! root ) {
		return;
	}

	const view = { queue: page.start.queue, state: page.start.state, outcome: '', search: page.start.search, by: '', tokens: [ '' ], outboxPage: 1 };
	const rendered = { entries: new Map(), outbox: new Map() };
	let timer = 0;
	let newest = 0;

	page.queue = () => view.queue;

	const said = element( 'div', { className: 'tillsync-said', role: 'status' } );
	const problem = element( 'div', { className: 'tillsync-problem' } );
	const outbox = element( 'section', { 'aria-labelledby': 'tillsync-outbox-title', className: 'tillsync-outbox' } );
	const list = element( 'div', { className: 'tillsync-list' } );
	const pages = element( 'nav', { className: 'tillsync-pages', 'aria-label': words.pages } );

	page.say = ( text, kind = 'info' ) => {
		said.className = `tillsync-said${ text ? ` notice inline notice-${ kind }` : '' }`;
		said.replaceChildren( ...( text ? [ element( 'p', { textContent: text } ) ] : [] ) );
	};

	const errorNotice = ( error ) => {
		const expired = page.isExpired( error );
		const again = element( 'button', { type: 'button', className: 'button', textContent: expired ? words.reload : words.tryAgain } );
		again.addEventListener( 'click', () => ( expired ? window.location.reload() : page.busy( again, () => page.refresh() ) ) );
		return element(
			'div',
			{ className: 'notice notice-error inline', role: 'alert' },
			element( 'p', { textContent: page.sentence( error ) } ),
			page.isService( error ) && view.queue === 'orders' ? element( 'p', { textContent: words.unreached } ) : null,
			element( 'p', {}, again )
		);
	};

	// --- filters --------------------------------------------------------------------------------------------------------------

	const tabs = element( 'div', { className: 'nav-tab-wrapper tillsync-tabs', role: 'tablist', 'aria-label': words.queues } );
	const help = element( 'p', { className: 'description' } );
	const state = element( 'select', { id: 'tillsync-state' } );
	const outcome = element( 'select', { id: 'tillsync-outcome' } );
	const search = element( 'input', { type: 'search', id: 'tillsync-search', maxLength: 254, value: view.search } );
	const all = element( 'button', { type: 'button', className: 'button-link', textContent: words.all } );
	const panel = element( 'div', { id: 'tillsync-panel', role: 'tabpanel' } );

	const options = ( select, first, given, chosen ) => {
		select.replaceChildren( element( 'option', { value: '', textContent: first } ), ...given.map( ( { value, label } ) => element( 'option', { value, textContent: label } ) ) );
		select.value = chosen;
	};

	const showChoice = () => {
		[ ...tabs.children ].forEach( ( tab ) => {
			const chosen = tab.dataset.queue === view.queue;
			tab.setAttribute( 'aria-selected', String( chosen ) );
			tab.tabIndex = chosen ? 0 : -1;
			tab.classList.toggle( 'nav-tab-active', chosen );
		} );
		panel.setAttribute( 'aria-labelledby', `tillsync-tab-${ view.queue }` );
		help.textContent = view.queue === 'orders' ? words.ordersHelp : words.customersHelp;
		options( state, words.anyState, page.states, view.state );
		options( outcome, words.anyCause, page.outcomes[ view.queue ], view.outcome );
		search.value = view.search;
		all.hidden = ! ( view.state || view.outcome || view.search );
	};

	const choose = ( changes ) => {
		Object.assign( view, { by: '', tokens: [ '' ], outboxPage: 1 }, changes );
		page.say( '' );
		showChoice();
		list.replaceChildren( element( 'p', { textContent: words.loading } ) );
		pages.replaceChildren();
		return page.refresh();
	};

	const turnTo = ( queue ) => choose( { queue, outcome: '' } );

	[ 'orders', 'customers' ].forEach( ( queue ) => {
		const tab = element( 'button', { type: 'button', role: 'tab', id: `tillsync-tab-${ queue }`, className: 'nav-tab', 'data-queue': queue, 'aria-controls': 'tillsync-panel', textContent: words[ queue ] } );
		tab.addEventListener( 'click', () => turnTo( queue ) );
		tabs.append( tab );
	} );
	tabs.addEventListener( 'keydown', ( event ) => {
		if ( [ 'ArrowLeft', 'ArrowRight', 'Home', 'End' ].includes( event.key ) ) {
			event.preventDefault();
			const other = [ ...tabs.children ].find( ( tab ) => tab.dataset.queue !== view.queue );
			turnTo( other.dataset.queue );
			other.focus();
		}
	} );

	const form = element(
		'form',
		{ className: 'tillsync-filters', role: 'search', 'aria-label': words.filters },
		element( 'div', {}, element( 'label', { htmlFor: 'tillsync-state', textContent: words.state } ), state ),
		element( 'div', {}, element( 'label', { htmlFor: 'tillsync-outcome', textContent: words.cause } ), outcome ),
		element( 'div', { className: 'tillsync-grow' }, element( 'label', { htmlFor: 'tillsync-search', textContent: words.search } ), element( 'div', { className: 'tillsync-search' }, search, element( 'button', { type: 'submit', className: 'button', textContent: words.find } ) ) ),
		all
	);
	form.addEventListener( 'submit', ( event ) => {
		event.preventDefault();
		choose( { search: search.value.trim() } );
	} );
	state.addEventListener( 'change', () => choose( { state: state.value } ) );
	outcome.addEventListener( 'change', () => choose( { outcome: outcome.value } ) );
	all.addEventListener( 'click', () => {
		choose( { state: '', outcome: '', search: '' } );
		search.focus();
	} );

	// --- lists ----------------------------------------------------------------------------------------------------------------

	const countsOf = ( counts ) => {
		counts.forEach( ( { state: name, count, capped, label } ) => {
			const option = [ ...state.options ].find( ( one ) => one.value === name );
			if ( option ) {
				option.textContent = `${ label } (${ count.toLocaleString() }${ capped ? '+' : '' })`;
			}
		} );
	};

	const turn = ( name, works, change ) => {
		const button = element( 'button', { type: 'button', className: 'button', textContent: name, disabled: ! works } );
		button.addEventListener( 'click', () => {
			change();
			page.busy( button, async () => {
				await page.refresh();
				tabs.scrollIntoView( { block: 'start' } );
			} );
		} );
		return button;
	};

	const showEntries = ( answer ) => {
		const texts = answer.problems.map( ( text ) => element( 'p', {}, element( 'strong', { textContent: `${ words.problem }: ` } ), element( 'span', { lang: 'en', dir: 'ltr', textContent: text } ) ) );
		problem.replaceChildren( ...( texts.length ? [ element( 'div', { className: 'notice notice-warning inline' }, ...texts ) ] : [] ) );
		countsOf( answer.counts );
		if ( answer.rows.length ) {
			list.replaceChildren( page.table( words[ view.queue ], answer.rows, page.entryRow, rendered.entries ) );
		} else {
			rendered.entries.clear();
			list.replaceChildren( element( 'p', { className: 'tillsync-empty', textContent: view.search || view.state || view.outcome ? words.emptyFound : words.empty } ) );
		}
		const first = view.tokens.length === 1;
		pages.hidden = first && ! answer.next_page_token;
		pages.replaceChildren(
			turn( words.previous, ! first, () => view.tokens.pop() ),
			turn( words.next, answer.next_page_token !== '', () => view.tokens.push( answer.next_page_token ) )
		);
	};

	const showOutbox = ( { rows, more, hindrance } ) => {
		outbox.hidden = rows.length === 0 && hindrance === '' && view.outboxPage === 1;
		const title = element( 'h2', { id: 'tillsync-outbox-title', textContent: words.notLeft } );
		const table = rows.length ? page.table( words.notLeft, rows, page.outboxRow, rendered.outbox ) : null;
		const paging = more || view.outboxPage > 1
			? element( 'div', { className: 'tillsync-pages' }, turn( words.previous, view.outboxPage > 1, () => view.outboxPage-- ), turn( words.next, more, () => view.outboxPage++ ) )
			: null;
		outbox.replaceChildren( title, ...[ hindrance ? element( 'div', { className: 'notice notice-warning inline' }, element( 'p', { textContent: hindrance, dir: 'auto' } ) ) : null, rows.length ? element( 'p', { className: 'description', textContent: words.notLeftHelp } ) : null, table, paging ].filter( Boolean ) );
	};

	const query = ( values ) => new URLSearchParams( Object.entries( values ).filter( ( [ , value ] ) => value !== '' ) ).toString();

	const askEntries = async () => {
		const token = view.tokens.at( -1 );
		let answer;
		do {
			// A text may be an order's id, its number, or a customer's id. Each kind of search has its own short call.
			// oxlint-disable-next-line no-await-in-loop -- each answer names the next kind of search
			answer = await page.call( `queues?${ query( { queue: view.queue, state: view.state, outcome: view.outcome, search: view.search, by: view.by, page_token: token, counts: '1' } ) }` );
			view.by = answer.try_next || answer.by;
		} while ( answer.try_next );
		return answer;
	};

	/** Loads both lists. Only the answers of the newest refresh are shown. */
	page.refresh = async () => {
		window.clearTimeout( timer );
		const request = ++newest;
		const orders = view.queue === 'orders';
		const [ entries, waiting ] = await Promise.allSettled( [ askEntries(), orders ? page.call( `queues/outbox?${ query( { search: view.search, page: String( view.outboxPage ) } ) }` ) : Promise.resolve( { rows: [], more: false, hindrance: '' } ) ] );
		if ( request !== newest ) {
			return;
		}
		const focus = document.activeElement; // read after the calls, because the person may have moved the focus meanwhile
		if ( waiting.status === 'fulfilled' ) {
			showOutbox( waiting.value );
		}
		if ( entries.status === 'fulfilled' ) {
			showEntries( entries.value );
		} else {
			rendered.entries.clear();
			pages.replaceChildren();
			list.replaceChildren( errorNotice( entries.reason ) );
		}
		if ( document.activeElement !== focus && focus && document.contains( focus ) ) {
			focus.focus( { preventScroll: true } );
		}
		plan();
	};

	const plan = () => {
		window.clearTimeout( timer );
		if ( document.hidden ) {
			return;
		}
		timer = window.setTimeout( () => {
			// The page does not refresh under an open dialog.
			if ( page.open > 0 ) {
				plan();
			} else {
				page.refresh();
			}
		}, page.poll );
	};

	document.addEventListener( 'visibilitychange', () => ( document.hidden ? window.clearTimeout( timer ) : page.refresh() ) );

	panel.append( help, form, problem, outbox, element( 'h2', { className: 'tillsync-list-title', textContent: words.atService } ), list, pages );
	root.replaceChildren( said, tabs, panel );
	choose( {} );
} )();
